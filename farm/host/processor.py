"""Checks of a host's processor: its frequency, its threads, its kinds of cores, its instructions. Knows sysfs."""

from collections import Counter

from farm.host import facts
from farm.host.check import CheckResult, Host, count, doubtful, good, not_shown
from farm.host.topology import cpu_list, parse_cpu_list, siblings_outside, text, usable_cores

DOT_PRODUCT = ("amx_int8", "avx512_vnni", "avx_vnni", "neon_dotprod")


def governor(host: Host) -> CheckResult:
    """Another governor than `performance` changes the frequency with the load."""
    governors = Counter(
        filter(None, (text(host.cpu / f"cpu{cpu}/cpufreq/scaling_governor") for cpu in sorted(host.mask)))
    )
    if not governors:
        return not_shown("governor", "the frequency may change unseen, and only the noise floor tells")
    if set(governors) == {"performance"}:
        return good("governor", "'performance' on all CPUs")
    others = ", ".join(
        f"{name!r} on {count(cpus, 'CPU')}" for name, cpus in sorted(governors.items()) if name != "performance"
    )
    says = f"{others} of {len(host.mask)}: the frequency may be low, or change with the load"
    return doubtful("governor", says, "sudo cpupower frequency-set -g performance")


def turbo(host: Host) -> CheckResult:
    """Turbo is a frequency that is granted as long as heat and neighbours allow it."""
    for file, off in (("intel_pstate/no_turbo", "1"), ("cpufreq/boost", "0")):
        if setting := text(host.cpu / file):
            if setting == off:
                return good("turbo", "off: the frequency does not depend on heat and neighbours")
            says = "on: the frequency depends on the temperature and on what the other cores do"
            return doubtful("turbo", says, f"echo {off} | sudo tee /sys/devices/system/cpu/{file}")
    return not_shown("turbo", "the frequency may depend on the temperature and on what the other cores do")


def throttling(host: Host) -> CheckResult:
    """A processor that gets too hot runs slower."""
    texts = [text(host.cpu / f"cpu{cpu}/thermal_throttle/core_throttle_count") for cpu in sorted(host.mask)]
    counts = [int(number) for number in texts if number]
    if not counts:
        return not_shown("heat", "the processor may be slowed unseen")
    if most := max(counts):
        says = f"a core was slowed {count(most, 'time')} since boot for being too hot"
        return doubtful("heat", says, "cool it better, or switch turbo off")
    return good("heat", "no core was slowed since boot")


def smt(host: Host) -> CheckResult:
    """Two threads of one core slow each other; farm leases whole cores, as far as the mask has them."""
    if outside := siblings_outside(host.mask, host.sysfs):
        says = f"the mask lacks threads of its cores ({cpu_list(outside)}): a program there slows measurements"
        whole = cpu_list(host.mask.union(outside))
        return doubtful("SMT", says, f"use whole cores: taskset -c {whole} farm ..., docker run --cpuset-cpus={whole}")
    active = text(host.cpu / "smt/active")
    if not active:
        return not_shown("SMT", "other programs may share a core with measurements")
    return good("SMT", "on: farm leases cores with all their threads" if active == "1" else "off: a core is one CPU")


def kinds(host: Host) -> CheckResult:
    """A latency over cores of two kinds depends on which of them an inference met."""
    if not host.cpu.exists():
        return not_shown("kinds of cores", "cores may differ in speed")
    cores = usable_cores(host.sysfs, host.mask)
    slow = sum(core.efficient for core in cores)
    if not slow:
        return good("kinds of cores", f"one: {count(len(cores), 'core')}")
    if slow == len(cores):
        fast = cpu_list(parse_cpu_list(text(host.sysfs / "devices/cpu_core/cpus")))
        says = f"the mask has only efficiency cores ({cpu_list(host.mask)}); the host has faster ones"
        return doubtful("kinds of cores", says, f"taskset -c {fast} farm ..." if fast else "")
    says = f"two, {len(cores) - slow} performance and {slow} efficiency: measurements use performance cores"
    return good("kinds of cores", says)


def isolated(host: Host) -> CheckResult | None:
    """The scheduler puts no other program on isolated CPUs, nor does it spread threads over them."""
    apart = parse_cpu_list(text(host.cpu / "isolated"))
    if not apart:
        return None
    ours = apart & host.mask
    if len(ours) > 1:
        says = f"{cpu_list(ours)} in the mask: threads that are not pinned all run on one of them"
        return doubtful("isolated CPUs", says, "keep CPUs free with a cpuset in place of the kernel's isolcpus")
    says = f"{cpu_list(apart)}, {'one' if ours else 'none'} in the mask"
    return good("isolated CPUs", says)


def instructions(host: Host) -> CheckResult:
    """Without a dot product of 8-bit integers, int8 costs as much as FP32, and sums of 16 bits overflow."""
    level = facts.isa(text(host.proc / "cpuinfo"))
    if not level:
        return not_shown("int8 instructions", "int8 may gain little")
    if level in DOT_PRODUCT:
        return good("int8 instructions", f"{level}: int8 has instructions of its own")
    if level.startswith("neon"):
        return doubtful("int8 instructions", f"{level}, no dot product: int8 gains little here")
    says = f"{level}, no VNNI: int8 gains little here, and its sums may overflow, which costs accuracy"
    return doubtful("int8 instructions", says, "in the grid: algorithms: [{name: default, overflow_fix: enable}]")
