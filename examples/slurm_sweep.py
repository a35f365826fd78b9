"""A sweep on a SLURM cluster: the flags are those of `neuroglia sweep`, here for one job a network.

    pip install 'neuroglia_snn[sweep]' dask-jobqueue
    python slurm_sweep.py noise_induced_memory --over sigma2=0:0.2:21 --seeds 10 --out grid

Run it on the login node (in tmux, for one). A sweep that was cut off goes on with the same command.
Partition, account and network interface are your cluster's: here, or in
~/.config/dask/jobqueue.yaml.
"""

import os
import sys

from dask_jobqueue import SLURMCluster

from neuroglia_snn.cli import main

if __name__ == "__main__":
    with SLURMCluster(
        cores=1,  # one network at a time in each job, on one thread
        processes=1,
        memory="2GB",
        walltime="04:00:00",
        worker_extra_args=["--lifetime", "235m"],  # hand points back before SLURM ends the job
    ) as cluster:
        cluster.scale(jobs=int(os.environ.get("JOBS", "20")))
        sys.exit(main(["sweep", *sys.argv[1:], "--scheduler", cluster.scheduler_address]))
