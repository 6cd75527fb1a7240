#!/usr/bin/env bash
# A base image where no registry of images can be reached: Debian 12 with its Python 3.11, 123 MB.
# Run as root: deploy/base-image.sh [NAME]; then roadworthy package --container --base NAME
# Needs debootstrap, and podman or buildah. DEBIAN_MIRROR may name where packages come from.
set -euo pipefail
name=${1:-localhost/roadworthy-base}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
debootstrap --variant=minbase --include=python3,ca-certificates bookworm "$work/system" \
  ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 1; }
# As the official slim images: no documentation, no translations, no package lists.
rm -rf "$work"/system/var/cache/apt/* "$work"/system/var/lib/apt/lists/* \
  "$work"/system/usr/share/{doc,info,locale,man}/* "$work"/system/var/log/* "$work"/system/tmp/*
cat >"$work/Containerfile" <<'END'
FROM scratch
COPY system /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
CMD ["python3"]
END
builder=buildah
command -v buildah >/dev/null || builder=podman
"$builder" build --quiet --format docker --tag "$name" --file "$work/Containerfile" "$work"
