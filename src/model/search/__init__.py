"""Try settings by short trainings on this device."""
