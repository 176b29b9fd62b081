#!/usr/bin/env bash
# A Slurm of one node on this machine, with a stand-in GPU, for tests/slurm.
#
#   cluster.sh start FOLDER    install slurm-wlm and munge if they lack, start three daemons
#   cluster.sh stop FOLDER     end those daemons
#
# For root on Debian or Ubuntu. Everything is in FOLDER but for links to its two configuration
# files in /etc/slurm, the only place where a job step of Snakemake's Slurm executor looks.
set -euo pipefail

action=${1:?start or stop} folder=$(realpath -m "${2:?a folder}")
name=$(hostname -s)
links=(/etc/slurm/slurm.conf /etc/slurm/gres.conf)

fail() { echo "cluster.sh: $*" >&2; exit 1; }

install_packages() {
	command -v slurmctld slurmd sbatch munged >/dev/null && return
	command -v apt-get >/dev/null || fail "needs apt-get, or slurmctld, slurmd and munged in PATH"
	# The packages' own daemons stay down: theirs is another configuration.
	local policy=/usr/sbin/policy-rc.d written=
	[[ -e $policy ]] || { printf '#!/bin/sh\nexit 101\n' >$policy; chmod +x $policy; written=1; }
	DEBIAN_FRONTEND=noninteractive
	export DEBIAN_FRONTEND
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends slurm-wlm munge >"$folder/apt.log" 2>&1 ||
		fail "apt-get failed: $(tail -n 1 "$folder/apt.log")"
	[[ -z $written ]] || rm $policy
}

write_config() {
	local memory=$(($(awk '/MemTotal/ {print $2}' /proc/meminfo) / 1024 - 1024))
	mkdir -p "$folder"/{controller,node}
	(umask 077; [[ -s $folder/munge.key ]] || head -c 1024 /dev/urandom >"$folder/munge.key")
	echo "NodeName=$name Name=gpu File=/dev/null" >"$folder/gres.conf"
	cat >"$folder/slurm.conf" <<-CONF
		ClusterName=test
		SlurmctldHost=$name(127.0.0.1)
		SlurmctldPort=26817
		SlurmdPort=26818
		CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
		SlurmUser=root
		SlurmdUser=root
		AuthType=auth/munge
		AuthInfo=socket=$folder/munge.sock
		StateSaveLocation=$folder/controller
		SlurmdSpoolDir=$folder/node
		SlurmctldPidFile=$folder/slurmctld.pid
		SlurmdPidFile=$folder/slurmd.pid
		SlurmctldLogFile=$folder/slurmctld.log
		SlurmdLogFile=$folder/slurmd.log
		ProctrackType=proctrack/linuxproc
		TaskPlugin=task/none
		JobAcctGatherType=jobacct_gather/linux
		JobAcctGatherFrequency=1
		JobAcctGatherParams=OverMemoryKill
		AccountingStorageType=accounting_storage/none
		SelectType=select/cons_tres
		SelectTypeParameters=CR_Core_Memory
		SchedulerParameters=sched_interval=2,bf_interval=5
		MinJobAge=86400
		ReturnToService=2
		GresTypes=gpu
		NodeName=$name NodeAddr=127.0.0.1 CPUs=$(getconf _NPROCESSORS_ONLN) RealMemory=$memory Gres=gpu:1
		PartitionName=main Nodes=$name Default=YES MaxTime=1-0 DefaultTime=60
		PartitionName=gpu Nodes=$name MaxTime=1-0 DefaultTime=60
	CONF
	mkdir -p /etc/slurm
	for link in "${links[@]}"; do
		[[ ! -e $link || $(readlink "$link") == "$folder"/* ]] ||
			fail "$link is another cluster's; not touched"
		ln -sfn "$folder/${link##*/}" "$link"
	done
}

running() { # PID of a daemon that this folder's configuration started
	local pid
	pid=$(cat "$folder/$1.pid" 2>/dev/null) || return 1
	[[ $(readlink "/proc/$pid/exe") == */"$1"* ]] && echo "$pid"
}

start() {
	[[ $EUID == 0 ]] || fail "needs root"
	mkdir -p "$folder"
	chmod 755 "$folder"
	install_packages
	write_config
	running munged >/dev/null || munged --force --key-file="$folder/munge.key" \
		--socket="$folder/munge.sock" --pid-file="$folder/munged.pid" \
		--log-file="$folder/munged.log" --seed-file="$folder/munge.seed"
	running slurmctld >/dev/null || slurmctld
	running slurmd >/dev/null || slurmd
	for _ in {1..120}; do
		[[ $(sinfo --noheader --partition=main --format=%T 2>/dev/null) == idle ]] && return
		sleep 0.5
	done
	fail "the node does not come up; see $folder/*.log"
}

stop() {
	local pid
	squeue --noheader --format=%i 2>/dev/null | xargs --no-run-if-empty scancel || true
	for daemon in slurmd slurmctld munged; do
		pid=$(running $daemon) || continue
		kill "$pid"
		for _ in {1..100}; do
			[[ -d /proc/$pid ]] || break
			sleep 0.1
		done
		[[ ! -d /proc/$pid ]] || kill -9 "$pid"
	done
	for link in "${links[@]}"; do
		[[ $(readlink "$link") != "$folder"/* ]] || rm "$link"
	done
}

case $action in
	start) start ;;
	stop) stop ;;
	*) fail "start or stop, not $action" ;;
esac
