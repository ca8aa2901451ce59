// Package config is the connector's configuration file: its schema, its strict loader and its reload. It is the only
// contract between the file's author (a person, or the operator) and the connector.
//
// Loading is strict: an unknown or duplicate field, a wrong type or an impossible combination refuses the whole file,
// and the error lists every problem with file, line and field path, not the first one only. A message never quotes a
// secret, nor a value in whose place one may have been pasted.
package config
