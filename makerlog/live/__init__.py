"""What every socket shares: events told on commit, the hub that hands them to this process's sockets, the base of streams."""
