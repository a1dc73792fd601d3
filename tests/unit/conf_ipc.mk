# conf_ipc
