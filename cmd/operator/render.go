package main

import "github.com/spf13/cobra"

func newRender() *cobra.Command { return &cobra.Command{Use: "render"} }
