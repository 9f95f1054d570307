"""Fresh processes that cost little: a fork server a host, its client, and the inside of a child."""
