"""Pictures of maps, frames and runs."""
