//! Lines of names and figures.

use std::time::Duration;

/// Prints how many there were, how long each took (given in nanoseconds), and the CPU time of the one who served them.
pub fn report(what: &str, mut times: Vec<u64>, passed: Duration, cpu: Duration) {
    times.sort_unstable();
    println!(
        "{what} {} per_s {:.0} p50_us {:.1} p99_us {:.1} cpu_s {:.2} cpu_us {:.2}",
        times.len(),
        times.len() as f64 / passed.as_secs_f64(),
        micros(&times, 0.5),
        micros(&times, 0.99),
        cpu.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / times.len() as f64,
    );
}

/// Of sorted times in nanoseconds the one that this part of them does not exceed, in microseconds.
#[must_use]
pub fn micros(sorted: &[u64], part: f64) -> f64 {
    let at = (sorted.len() as f64 * part) as usize;
    sorted.get(at).copied().unwrap_or(0) as f64 / 1e3
}
