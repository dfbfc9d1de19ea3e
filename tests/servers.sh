#!/usr/bin/env bash
# Makes target/servers, a Python environment with what two tests talk to: an S3-compatible server, and a second reader of
# Parquet. Without it those tests say so and pass; DESCALE_SERVERS=needed makes them fail instead.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=target/servers
[ -x "$folder/bin/moto_server" ] && [ -e "$folder/ready" ] && exit 0
python3 -m venv --clear "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check 'moto[s3,server]>=5,<6' 'pyarrow>=17'
touch "$folder/ready"
