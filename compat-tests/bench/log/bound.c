/*
 * The bound: writes the same bytes as the log does, in the same pieces, over zeros written ahead, and syncs them the
 * same way. No heads, no checksums, no index: what the machine itself allows. With ZEROS 1 it also writes the zeros of
 * the next segment ahead, as many as it appends, as the log must; with 0 it writes over the same zeros again and again.
 *
 * usage: bound FILE BYTES_PER_WRITE WRITES SYNC(0|1) CAPACITY ZEROS(0|1)
 * prints: seconds
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
  if (argc != 7) return 2;
  const size_t piece = strtoull(argv[2], 0, 10);
  const long writes = strtol(argv[3], 0, 10);
  const int sync = atoi(argv[4]);
  const size_t capacity = strtoull(argv[5], 0, 10);
  const int ahead = atoi(argv[6]);
  char next[4096];
  snprintf(next, sizeof next, "%s.next", argv[1]);
  char *source = malloc(piece), *buffer = malloc(piece), *zeros = calloc(1, 1 << 16);
  memset(source, 'x', piece);
  int fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || !source || !buffer || !zeros) return 1;
  for (size_t at = 0; at < capacity; at += 1 << 16)
    if (pwrite(fd, zeros, 1 << 16, at) != 1 << 16) return 1;
  fsync(fd);
  int spare = ahead ? open(next, O_RDWR | O_CREAT | O_TRUNC, 0600) : -1;
  size_t at = 0, zeroed = 0;
  double started = now();
  for (long n = 0; n < writes; n++) {
    if (at + piece > capacity) at = 0;
    memcpy(buffer, source, piece);
    if (pwrite(fd, buffer, piece, at) != (ssize_t)piece) return 1;
    if (sync && fdatasync(fd) != 0) return 1;
    at += piece;
    for (; ahead && zeroed < at && zeroed < capacity; zeroed += 1 << 16)
      if (pwrite(spare, zeros, 1 << 16, zeroed) != 1 << 16) return 1;
    if (ahead && at + piece > capacity) {
      fdatasync(spare);
      int full = fd;
      fd = spare;
      spare = open(next, O_RDWR | O_CREAT | O_TRUNC, 0600);
      close(full);
      at = zeroed = 0;
    }
  }
  printf("%.6f\n", now() - started);
  close(fd);
  unlink(argv[1]);
  if (ahead) unlink(next);
  return 0;
}
