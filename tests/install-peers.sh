#!/bin/sh
# Installs, from Debian, the programs that Veil's tests talk to and pip cannot install:
#   dcmtk              storescu, storescp, echoscu, dcmsend ... : DIMSE peers
#   libgdcm-tools      gdcmscu: a DIMSE peer of another family
#   orthanc (+dicomweb) a PACS: destination by DIMSE and by STOW-RS
#   dicom3tools        dciodvfy: checks the IOD of what comes out
#   dcm2niix           a public converter: what research needs survives de-identification
#   libjpeg-turbo-progs jpegtran: edits JPEG without decoding it, makes arrangements few encoders write
#   chromium           shows the viewer, driven by Playwright (which pip installs, without a browser of its own)
#   npm                fetches the viewer: make viewer; any other npm will do
#   rsyslog (+openssl) receives the audit log as syslog over TLS
#   strace             injects file-system errors and kills at chosen system calls
# Safe to run again: what is installed already is left alone. Needs root or sudo.
set -eu

PACKAGES="dcmtk libgdcm-tools orthanc orthanc-dicomweb dicom3tools dcm2niix libjpeg-turbo-progs strace chromium rsyslog rsyslog-openssl"
command -v npm >/dev/null 2>&1 || PACKAGES="$PACKAGES npm"

missing=""
for package in $PACKAGES; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    if [ "$state" = "installed" ]; then
        echo "peers: $package is installed"
    else
        missing="$missing $package"
    fi
done
if [ -z "$missing" ]; then
    echo "peers: nothing to do"
    exit 0
fi

if ! command -v apt-get >/dev/null 2>&1; then
    echo "peers: apt-get not found; install by hand:$missing" >&2
    exit 1
fi
as_root=""
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "peers: not root and no sudo; install by hand:$missing" >&2
        exit 1
    fi
    as_root="sudo"
fi

# policy-rc.d: the tests start their own Orthanc on their own ports, so the package must not start one now.
policy=/usr/sbin/policy-rc.d
placed=""
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
    placed="yes"
fi
remove_policy() { if [ -n "$placed" ]; then $as_root rm -f "$policy"; fi; }
trap remove_policy EXIT

echo "peers: installing$missing"
$as_root apt-get update -q
# shellcheck disable=SC2086  # a list of package names on purpose
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
echo "peers: done"
