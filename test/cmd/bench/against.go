package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"

	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
	"xbot.a4b.vn/channel-connector/test/kit/must"
	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/series"
)

// makeBuilds compiles this commit's connector, and the connector of -against if there is one.
func makeBuilds(ctx context.Context, folder, against string) []build {
	builds := []build{newBuild("this commit", must.Get(process.Build(ctx, folder, "connector")), configText)}
	if against != "" {
		builds = append(builds, buildCommit(ctx, folder, against))
	}
	return builds
}

func newBuild(name, binary, config string) build {
	return build{name: name, binary: binary, config: must.Get(template.New("connector.yaml").Parse(config))}
}

// buildCommit compiles a commit's connector from its files. It takes the commit's own template of the configuration,
// whose fields may be others.
func buildCommit(ctx context.Context, folder, commit string) build {
	source, binary := filepath.Join(folder, "against"), filepath.Join(folder, "connector-against")
	must.Do(os.Mkdir(source, 0o700))
	for _, step := range []*exec.Cmd{
		exec.CommandContext(ctx, "git", "archive", "--output", source+".tar", commit),
		exec.CommandContext(ctx, "tar", "-x", "-C", source, "-f", source+".tar"),
		exec.CommandContext(ctx, "go", "build", "-C", source, "-o", binary, "./cmd/connector"),
	} {
		step.Env = append(os.Environ(), "CGO_ENABLED=0")
		step.Stdout, step.Stderr = os.Stderr, os.Stderr
		if err := step.Run(); err != nil {
			must.Do(fmt.Errorf("the connector of -against %s: %s: %w", commit, step, err))
		}
	}
	config, err := os.ReadFile(filepath.Join(source, "test", "cmd", "bench", "connector.yaml.tmpl"))
	return newBuild(commit, binary, string(must.Get(config, err)))
}

// eachBuild measures one build after the other and adds the rows of each. Then it compares the values added with the
// rows, of which less is better.
func (b *bench) eachBuild(measure func(of build, add func(benchmark.Row, float64))) {
	var measures []string
	values := make(map[string][]series.Series)
	for i, of := range b.builds {
		b.Within(func() {
			measure(of, func(row benchmark.Row, value float64) {
				values[row.Measure] = append(values[row.Measure], series.Series{value})
				if i == 0 {
					measures = append(measures, row.Measure)
				} else {
					row.Measure += " (" + of.name + ")"
				}
				b.Add(row)
			})
		})
	}
	for _, name := range measures {
		b.versus(name, values[name], false, "%.1f")
	}
}

// chance is how far two builds may be apart before one counts as worse: the medians of two runs of one build differ by
// about as much.
const chance = 0.05

// versus adds the line that compares this commit with the other one, if there is one. results holds those of each
// build; of rates the higher one is better.
func (b *bench) versus(measure string, results []series.Series, rates bool, unit string) {
	if len(results) < 2 {
		return
	}
	r := benchmark.Ratio(measure+" (baseline: "+b.builds[1].name+")", results[1], results[0], unit, "of that")
	if rates {
		r = r.AtLeast(1 - chance)
	} else {
		r = r.AtMost(1 + chance)
	}
	r.Asked = "no worse"
	b.Add(r)
}
