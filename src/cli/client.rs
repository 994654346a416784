//! What do `submit`, `dead` and `bench` take?
