package examine

import (
	"errors"
	"fmt"
	"path/filepath"
)

// verifyTables looks for damage in the parts of tables that no reading in the
// order of keys comes to, such as their filters. The connector comes to them as
// soon as it looks up a key.
func (s *stopped) verifyTables() error {
	if s.db == nil {
		return nil // damage was met before, and reported
	}
	levels, err := s.db.SSTables()
	if err != nil {
		return fmt.Errorf("list the tables: %w", err)
	}
	for _, level := range levels {
		for _, info := range level {
			name := filepath.Join(s.path, info.BackingSSTNum.String()+".sst")
			if err := s.verifyTable(name); err != nil {
				s.observe.Finding(Finding{
					Where: name, What: err.Error(), Remedy: remedyReplace,
					Meaning: "the connector ends when it looks up a record here; every record can be read",
				})
			}
			if err := s.ctx.Err(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *stopped) verifyTable(name string) error {
	t, err := openTable(s.ctx, name, s.observe.Finding)
	if err != nil {
		return err
	}
	return errors.Join(t.reader.ValidateBlockChecksums(), t.reader.Close())
}
