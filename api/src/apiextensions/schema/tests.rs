mod cases;
mod costs;
mod properties;
mod size;
