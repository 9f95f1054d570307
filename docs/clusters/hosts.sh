#!/bin/bash
# A cluster of any machines that reach each other, by SSH: this one is the head.
#   docs/clusters/hosts.sh up alpha beta gamma      # then: farm run GRID --address auto --results /shared/results
#   docs/clusters/hosts.sh down alpha beta gamma
# Each has this checkout with its .venv at the same path, and ~/.ray/auth_token, the same on all (`ray get-auth-token
# --generate` makes it). `down` ends every Ray of yours on these machines, other clusters' too.
set -euo pipefail

if [ $# -lt 2 ] || { [ "$1" != up ] && [ "$1" != down ]; }; then
    echo "usage: $0 up|down HOST..." >&2
    exit 2
fi
what=$1
shift
here=$(pwd)
settings="export RAY_AUTH_MODE=token RAY_ENABLE_UV_RUN_RUNTIME_ENV=0 RAY_USAGE_STATS_ENABLED=0 RAY_worker_niceness=0 \
RAY_health_check_period_ms=1000 RAY_health_check_timeout_ms=2000 RAY_health_check_failure_threshold=3 \
RAY_grpc_client_keepalive_time_ms=2000 RAY_grpc_client_keepalive_timeout_ms=2000"
begin="cd $(printf %q "$here") && source .venv/bin/activate && $settings && { ulimit -n 65536 2> /dev/null; true; }"
cores="\$(lscpu -p=CORE,SOCKET | grep -v '#' | sort -u | wc -l)"
address="${FARM_HEAD:-$(hostname --ip-address | awk '{print $1}')}:6379"
if [ "$what" = up ]; then
    case "$address" in
        127.*)
            echo "this host knows itself as ${address%:*} only: say which address others reach, FARM_HEAD=10.0.0.1" >&2
            exit 2
            ;;
    esac
    bash -c "$begin && ray start --head --port=6379 --num-cpus=0 --dashboard-host=127.0.0.1"
else
    bash -c "$begin && ray stop"
fi
failed=0
for host in "$@"; do
    if [ "$what" = up ]; then
        command="$begin && ray start --address=$address --num-cpus=$cores --resources='{\"bench\": 1}'"
    else
        command="$begin && ray stop"
    fi
    if ssh -o BatchMode=yes "$host" "$command"; then
        echo "$host: $what"
    else
        echo "$host: failed" >&2
        failed=1
    fi
done
exit "$failed"
