"""When someone writes: how many messages a turn has, how long they wait and type, and whether they answer at all."""
