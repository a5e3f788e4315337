"""What every room stands on: errors, stable numbers, provenance, attempts, leases of devices."""
