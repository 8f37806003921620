//! Tests of the stores through their public interface.

mod common;
mod contract;
mod crash;
mod kill;
mod restart;
