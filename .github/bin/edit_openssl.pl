#!/usr/bin/env perl
# edit_openssl.pl SOURCE: the one change that the builds make to OpenSSL's sources.
#
# Each direction of a connection has room for 32 records that an engine may encrypt at once, which
# is 20 KiB of an idle connection's memory, both ends together, and used by no engine but one of
# OpenSSL's tests. Without engines, libssl never asks for more than 8 (multi-block writes of
# AES-CBC). With room for 8, nothing that it does is different.
use strict;
use warnings;

my $path = "$ARGV[0]/include/openssl/ssl.h.in";
open(my $file, '<', $path) or die "edit_openssl.pl: $path: $!\n";
binmode $file;
my $text = do { local $/; <$file> };
close $file;
$text =~ s/^(#\s*define\s+SSL_MAX_PIPELINES\s+)32\b/${1}8/m
    or die "edit_openssl.pl: $path defines SSL_MAX_PIPELINES in another way than it used to\n";
open($file, '>', $path) or die "edit_openssl.pl: $path: $!\n";
binmode $file;
print $file $text;
close $file or die "edit_openssl.pl: $path: $!\n";
