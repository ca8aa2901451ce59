// A stand-in for etcd.
package main

func main() {}
