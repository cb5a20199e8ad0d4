"""Named pipes of IPC$: DCE/RPC services that clients ask before they see a share."""
