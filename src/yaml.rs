//! YAML with the position of every node.
