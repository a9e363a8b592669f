"""Getting into a visit, and being in it: links, sockets, rooms. Staff's pages of visits are in web.visits."""
