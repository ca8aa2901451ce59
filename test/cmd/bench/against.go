package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"

	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/series"
)

// makeBuilds compiles this commit's connector, and that of another one, unless there is
// none to compare with.
func makeBuilds(ctx context.Context, folder, against string) ([]build, error) {
	binary, err := process.Build(ctx, folder, "connector")
	if err != nil {
		return nil, err
	}
	ours, err := newBuild("this commit", binary, configText)
	if against == "" || err != nil {
		return []build{ours}, err
	}
	other, err := buildCommit(ctx, folder, against)
	return []build{ours, other}, err
}

func newBuild(name, binary, config string) (build, error) {
	parsed, err := template.New("connector.yaml").Parse(config)
	return build{name: name, binary: binary, config: parsed}, err
}

// buildCommit compiles a commit's connector from its files. It takes the commit's own
// template of the configuration, whose fields may be others.
func buildCommit(ctx context.Context, folder, commit string) (build, error) {
	source := filepath.Join(folder, "against")
	if err := os.Mkdir(source, 0o700); err != nil {
		return build{}, err
	}
	binary := filepath.Join(folder, "connector-against")
	for _, step := range []*exec.Cmd{
		exec.CommandContext(ctx, "git", "archive", "--output", source+".tar", commit),
		exec.CommandContext(ctx, "tar", "-x", "-C", source, "-f", source+".tar"),
		exec.CommandContext(ctx, "go", "build", "-C", source, "-o", binary, "./cmd/connector"),
	} {
		step.Env = append(os.Environ(), "CGO_ENABLED=0")
		step.Stdout, step.Stderr = os.Stderr, os.Stderr
		if err := step.Run(); err != nil {
			return build{}, fmt.Errorf("the connector of -against %s: %s: %w", commit, step, err)
		}
	}
	config, err := os.ReadFile(filepath.Join(source, "test", "cmd", "bench", "connector.yaml.tmpl"))
	if errors.Is(err, fs.ErrNotExist) { // where it was before test/cmd
		config, err = os.ReadFile(filepath.Join(source, "test", "bench", "connector.yaml.tmpl"))
	}
	if err != nil {
		return build{}, err
	}
	return newBuild(commit, binary, string(config))
}

// startEach starts a connector of each build. stop ends them all.
func (b *bench) startEach(ctx context.Context, settings func(int) connectorSettings) (all []*connector, stop func() error, err error) {
	stop = func() (err error) {
		for _, c := range all {
			err = errors.Join(err, c.stop())
		}
		return err
	}
	for i, of := range b.builds {
		c, err := b.startConnector(ctx, of, settings(i))
		if err != nil {
			return nil, nil, errors.Join(err, stop())
		}
		all = append(all, c)
	}
	return all, stop, nil
}

// eachBuild measures one build after the other and adds the rows of each. What is added
// with a row, of which less is better, is then compared.
func (b *bench) eachBuild(figure int, measure func(of build, add func(benchmark.Row, float64)) error) error {
	var measures []string
	values := make(map[string][]series.Series)
	for i, of := range b.builds {
		err := measure(of, func(row benchmark.Row, value float64) {
			if i == 0 {
				measures = append(measures, row.Measure)
			}
			values[row.Measure] = append(values[row.Measure], series.Series{value})
			if i > 0 {
				row.Measure += " (" + of.name + ")"
			}
			b.Add(row)
		})
		if err != nil {
			return err
		}
	}
	for _, name := range measures {
		b.versus(figure, name, values[name], false, func(s series.Series) string { return fmt.Sprintf("%.1f", s.Median()) })
	}
	return nil
}

// chance is how far two builds may be apart before one counts as worse: the medians of
// two runs of the same one differ by about as much.
const chance = 0.05

// versus adds the line that compares this commit with the other one, if there is one.
// The results are those of each build, and of rates the higher one is better.
func (b *bench) versus(figure int, measure string, results []series.Series, rates bool, unit func(series.Series) string) {
	if len(results) < 2 {
		return
	}
	ratio := results[0].Over(results[1])
	r := benchmark.Row{
		Figure: figure, Measure: measure + " (baseline: " + b.builds[1].name + ")",
		Baseline: unit(results[1]), Measured: unit(results[0]), Result: ratio.Spread() + " of that", Asked: "no worse",
	}
	if r.Met = ratio.Median() <= 1+chance; rates {
		r.Met = ratio.Median() >= 1-chance
	}
	b.Add(r)
}
