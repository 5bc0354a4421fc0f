package main

import (
	"fmt"
	"os"
	"sort"
	"strings"

	"golang.org/x/sys/unix"
)

// journal is a file with what a member was given, written before anything else happens, so that it is known of a member that
// was killed. Times are nanoseconds of the machine's monotonic clock, the same for all processes.
type journal struct {
	file *os.File
}

func openJournal(path string) (*journal, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	return &journal{file}, err
}

func now() int64 {
	var at unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &at)
	return at.Nano()
}

func (j *journal) write(format string, args ...any) {
	if j != nil {
		fmt.Fprintf(j.file, "%d "+format+"\n", append([]any{now()}, args...)...)
	}
}

func joined(partitions []int32) string {
	sort.Slice(partitions, func(a, b int) bool { return partitions[a] < partitions[b] })
	told := []string{}
	for _, one := range partitions {
		told = append(told, fmt.Sprint(one))
	}
	return strings.Join(told, ",")
}
