//! Jobs and CronJobs.

mod cron;
mod job;
mod schedule;

pub(super) use cron::CronJob;
pub(super) use job::Job;

#[cfg(test)]
mod tests;
