//! What is left of a run whose process, machine or journal was hurt, and what whoever comes next makes of it.

mod disk;
mod effects;
mod life;
mod moved;
mod mutilated;
mod points;
mod scene;
mod time;
