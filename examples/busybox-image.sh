#!/usr/bin/env bash
# Makes a container image out of the machine's static busybox, so that the examples need no registry.
# Usage: busybox-image.sh ARCHIVE [NAME]
set -euo pipefail
archive=${1:?the archive to write} name=${2:-docker.io/library/busybox:windlass}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/root/{bin,etc,proc,sys,dev,tmp,root,www} "$work/image"
cp /bin/busybox "$work/root/bin/"
for applet in $(/bin/busybox --list); do
  [[ $applet == busybox ]] || ln -s busybox "$work/root/bin/$applet"
done
echo root:x:0:0:root:/root:/bin/sh >"$work/root/etc/passwd"
echo root:x:0: >"$work/root/etc/group"

# The layout of `docker save`: a manifest, a configuration, a layer.
cd "$work/image"
tar -C "$work/root" --owner=0 --group=0 --numeric-owner -cf layer.tar .
cat >config.json <<JSON
{"architecture": "$(dpkg --print-architecture)", "os": "linux",
 "config": {"Env": ["PATH=/bin"], "Cmd": ["sh"]},
 "rootfs": {"type": "layers", "diff_ids": ["sha256:$(sha256sum layer.tar | cut -d' ' -f1)"]}}
JSON
echo "[{\"Config\": \"config.json\", \"RepoTags\": [\"$name\"], \"Layers\": [\"layer.tar\"]}]" >manifest.json
tar -cf "$work/archive" ./*
cd - >/dev/null
mv "$work/archive" "$archive"
