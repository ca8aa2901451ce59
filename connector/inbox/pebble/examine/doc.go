// Package examine reads the store of a connector that does not run. Check says
// what is wrong with it, and Export saves the events that can be read.
//
// It never changes the folder. As long as Pebble can read the store it reads
// through Pebble; from the first damage on it reads tables and logs directly, and
// around what cannot be read.
package examine
