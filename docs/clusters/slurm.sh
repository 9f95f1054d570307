#!/bin/bash
# A grid on Slurm: a head on the first node, a worker on each; both end with the job.
#   sbatch docs/clusters/slurm.sh jobs/table1.yaml --results /shared/results
# Nodes are exclusive, so that nobody else's work disturbs measurements. The checkout and its .venv, and the results, lie
# on a file system that all nodes have. A job that was ended is submitted again: it goes on from there.
#SBATCH --job-name=farm
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --time=12:00:00
#SBATCH --signal=B:TERM@120
set -euo pipefail

source .venv/bin/activate
export RAY_AUTH_MODE=token RAY_ENABLE_UV_RUN_RUNTIME_ENV=0 RAY_USAGE_STATS_ENABLED=0 RAY_worker_niceness=0
export RAY_health_check_period_ms=1000 RAY_health_check_timeout_ms=2000 RAY_health_check_failure_threshold=3
export RAY_grpc_client_keepalive_time_ms=2000 RAY_grpc_client_keepalive_timeout_ms=2000
port=$((20000 + SLURM_JOB_ID % 10000))                   # jobs that share a node do not meet
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed -n 1p)
address="$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | awk '{print $1}'):$port"
case "$address" in 127.*) echo "$head knows itself as ${address%:*} only: mend its /etc/hosts" >&2; exit 1 ;; esac

srun --nodes=1 --ntasks=1 --nodelist="$head" --overlap \
    ray start --head --node-ip-address="${address%:*}" --port="$port" --num-cpus=0 --include-dashboard=false --block &
if ! timeout 300 bash -c "until ray status --address $address; do sleep 2; done" > /dev/null 2>&1; then
    echo "no head at $address after five minutes" >&2
    exit 1
fi
srun --overlap bash -c "ray start --address=$address --resources='{\"bench\": 1}' --block \
    --num-cpus=\$(lscpu -p=CORE,SOCKET | grep -v '#' | sort -u | wc -l)" &

farm run "$@" --address "$address" &                     # in the background, so that this shell hears the signal
driver=$!
trap 'kill -TERM "$driver"' TERM                         # two minutes before the time is over: what is finished is kept
code=0
wait "$driver" || code=$?
if [ "$code" -gt 128 ]; then wait "$driver" || code=$?; fi
exit "$code"                                             # Slurm ends the head and the workers with the job
