"""How the admin's pages write moments: settings.FORMAT_MODULE_PATH."""
