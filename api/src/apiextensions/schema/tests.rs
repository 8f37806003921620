mod cases;
mod costs;
