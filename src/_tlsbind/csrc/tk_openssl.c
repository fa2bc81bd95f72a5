/* OpenSSL's data on itself: its version, its file, and its configuration. */
#ifndef _WIN32
#define _GNU_SOURCE 1 /* dladdr */
#include <dlfcn.h>
#endif

#include <openssl/conf.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

#include "tk_base.h"
#include "tk_records.h"

enum { FILE_MOST = 4096 };

/* The file that holds libssl's code in this process: a shared library, or the extension itself. */
#ifdef _WIN32
static int file_of_libssl(char *into)
{
    HMODULE module;
    DWORD flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS |
                  GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    DWORD size;

    if (!GetModuleHandleExA(flags, (LPCSTR)(uintptr_t)SSL_new, &module))
        return 0;
    size = GetModuleFileNameA(module, into, FILE_MOST);
    return size > 0 && size < FILE_MOST;
}
#else
static int file_of_libssl(char *into)
{
    Dl_info info;

    if (!dladdr((void *)(uintptr_t)SSL_new, &info) || info.dli_fname == NULL)
        return 0;
    return BIO_snprintf(into, FILE_MOST, "%s", info.dli_fname) >= 0;
}
#endif

static void say(tk_records *out, const char *name, const char *value)
{
    if (value == NULL)
        return;
    tk_records_text(out, 0, name);
    tk_records_text(out, 1, value);
}

void tk_openssl_library(tk_records *out)
{
    char file[FILE_MOST];
    char *configuration = CONF_get1_default_config_file();

    say(out, "version", OpenSSL_version(OPENSSL_VERSION));
    say(out, "headers", OPENSSL_VERSION_TEXT);
    if (file_of_libssl(file))
        say(out, "file", file);
    say(out, "built", OpenSSL_version(OPENSSL_BUILT_ON));
    say(out, "platform", OpenSSL_version(OPENSSL_PLATFORM));
    say(out, "compiler", OpenSSL_version(OPENSSL_CFLAGS));
    say(out, "directory", OPENSSL_info(OPENSSL_INFO_CONFIG_DIR));
    say(out, "modules", OPENSSL_info(OPENSSL_INFO_MODULES_DIR));
    say(out, "cpu", OPENSSL_info(OPENSSL_INFO_CPU_SETTINGS));
    say(out, "configuration", configuration);
    say(out, "fips", EVP_default_properties_is_fips_enabled(NULL) ? "yes" : "no");
    OPENSSL_free(configuration);
    ERR_clear_error();
}

static int say_provider(OSSL_PROVIDER *provider, void *argument)
{
    tk_records *out = argument;
    const char *version = "", *build = "";
    OSSL_PARAM asked[] = { OSSL_PARAM_END, OSSL_PARAM_END, OSSL_PARAM_END };

    asked[0] = OSSL_PARAM_construct_utf8_ptr(OSSL_PROV_PARAM_VERSION, (char **)&version, 0);
    asked[1] = OSSL_PARAM_construct_utf8_ptr(OSSL_PROV_PARAM_BUILDINFO, (char **)&build, 0);
    (void)OSSL_PROVIDER_get_params(provider, asked); /* what it does not tell stays empty */
    tk_records_text(out, 0, OSSL_PROVIDER_get0_name(provider));
    tk_records_text(out, 1, version);
    tk_records_text(out, 2, build);
    return 1;
}

void tk_openssl_providers(tk_records *out)
{
    (void)OSSL_PROVIDER_do_all(NULL, say_provider, out);
    ERR_clear_error();
}
