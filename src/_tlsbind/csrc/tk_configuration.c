/* The providers that OpenSSL's configuration file activates, whether loaded or not. */
#include <openssl/conf.h>
#include <openssl/provider.h>

#include "tk_base.h"
#include "tk_records.h"

/* "2.fips" is a name too: what precedes the dot only makes it unique within its section. */
static const char *name_of(const CONF_VALUE *entry)
{
    const char *dot = strchr(entry->name, '.');

    return dot == NULL ? entry->name : dot + 1;
}

static const char *in_section(const CONF *conf, const char *section, const char *name)
{
    STACK_OF(CONF_VALUE) *entries = section == NULL ? NULL : NCONF_get_section(conf, section);
    int i;

    for (i = 0; i < sk_CONF_VALUE_num(entries); i++)
        if (strcmp(name_of(sk_CONF_VALUE_value(entries, i)), name) == 0)
            return sk_CONF_VALUE_value(entries, i)->value;
    return NULL;
}

/* Before 3.2, every value activates a provider; a provider that is loaded is not missing then. */
static int activates(const char *value)
{
    static const char *const no[] = { "0", "no", "false", "off" };
    size_t i;

    for (i = 0; value != NULL && i < sizeof no / sizeof no[0]; i++)
        if (OPENSSL_strcasecmp(value, no[i]) == 0)
            return 0;
    return value != NULL;
}

static void add_wanted(const CONF *conf, const CONF_VALUE *entry, tk_records *out)
{
    const char *identity = in_section(conf, entry->value, "identity");
    const char *name = identity == NULL ? name_of(entry) : identity;
    const char *module = in_section(conf, entry->value, "module");

    if (!activates(in_section(conf, entry->value, "activate")))
        return;
    tk_records_text(out, 0, name);
    tk_records_text(out, 1, module == NULL ? "" : module);
    tk_records_text(out, 2, OSSL_PROVIDER_available(NULL, name) ? "loaded" : "");
}

void tk_openssl_wanted(tk_records *out)
{
    char *file = CONF_get1_default_config_file();
    CONF *conf = NCONF_new(NULL);
    STACK_OF(CONF_VALUE) *entries = NULL;
    const char *section;
    int i;

    if (file != NULL && conf != NULL && NCONF_load(conf, file, NULL) > 0) {
        section = in_section(conf, NCONF_get_string(conf, NULL, "openssl_conf"), "providers");
        entries = section == NULL ? NULL : NCONF_get_section(conf, section);
    }
    for (i = 0; i < sk_CONF_VALUE_num(entries); i++)
        add_wanted(conf, sk_CONF_VALUE_value(entries, i), out);
    NCONF_free(conf);
    OPENSSL_free(file);
    ERR_clear_error();
}
