"""What is known before any patient is read: table specifications and drugs."""
