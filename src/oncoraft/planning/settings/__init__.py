"""The blocks of the configuration, by the part of the work that reads them; `oncoraft.planning.config` joins them."""
