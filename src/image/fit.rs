//! How does a picture become what the model was trained on?
