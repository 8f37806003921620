mod heads;
mod names;
mod plans;
