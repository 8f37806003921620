#![doc = include_str!("../README.md")]

pub mod apis;
pub mod cache;
#[cfg(feature = "certificates")]
pub mod certificates;
pub mod client;
pub mod clock;
pub mod component;
pub mod controller;
pub mod error;
pub mod events;
pub mod leaderelection;
pub mod meta;
pub mod metrics;
pub mod object;
pub mod quota;
pub mod request;
pub mod scheme;
pub mod workqueue;

pub use error::{Error, Result};
pub use object::{Header, Object, ObjectList, View};
