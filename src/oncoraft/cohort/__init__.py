"""From a study folder to typed tables; and the synthetic twin of one."""
