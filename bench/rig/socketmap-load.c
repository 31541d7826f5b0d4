/*
 * The load on a socketmap service, natively: see socketmap-load.ts, which builds and runs it.
 *
 *   socketmap-load SOCKET BURSTS CONNECTIONS EACH
 *
 * BURSTS is a file of bursts: the lengths of questions and answers, 32 bits each as this machine has them, then both.
 * On each connection EACH of them are sent, going around the file from a place of its own; the next one follows when
 * all answers to the one before are there, and are what they have to be. Prints nanoseconds: what it took, and the
 * median and the 99th percentile of what a burst took.
 */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct burst {
  uint32_t asked, answered; /* lengths */
  const char *questions, *answers;
};

struct connection {
  int socket;
  size_t at;    /* the burst that is under way */
  size_t left;  /* bursts, this one included */
  uint32_t got;  /* octets of its answers */
  int64_t since; /* when it was sent */
};

static struct burst *bursts;
static size_t count;
static uint32_t *times; /* of all bursts that were answered, in nanoseconds */
static size_t answered;

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void read_bursts(const char *path) {
  int file = open(path, O_RDONLY);
  struct stat about;
  if (file < 0 || fstat(file, &about) < 0) err(1, "%s", path);
  const char *at = mmap(NULL, about.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
  if (at == MAP_FAILED) err(1, "%s", path);
  for (const char *end = at + about.st_size; at < end;) {
    if ((count & (count - 1)) == 0 && !(bursts = realloc(bursts, (count ? 2 * count : 1) * sizeof *bursts)))
      err(1, "bursts");
    struct burst *burst = &bursts[count++];
    memcpy(&burst->asked, at, 4);
    memcpy(&burst->answered, at + 4, 4);
    burst->questions = at + 8;
    burst->answers = burst->questions + burst->asked;
    at = burst->answers + burst->answered;
  }
  if (count == 0) errx(1, "%s holds nothing", path);
}

static int connect_to(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) errx(1, "%s is too long", path);
  strcpy(address.sun_path, path);
  int made = socket(AF_UNIX, SOCK_STREAM, 0);
  if (made < 0 || connect(made, (struct sockaddr *)&address, sizeof address) < 0) err(1, "%s", path);
  return made;
}

static void ask(struct connection *to) {
  const struct burst *burst = &bursts[to->at];
  to->since = now();
  for (uint32_t sent = 0; sent < burst->asked;) {
    ssize_t more = write(to->socket, burst->questions + sent, burst->asked - sent);
    if (more <= 0) err(1, "write");
    sent += more;
  }
}

/* Takes what has come. Returns whether the connection is done with all of its bursts. */
static int take(struct connection *from) {
  static char piece[1 << 16];
  ssize_t length = read(from->socket, piece, sizeof piece);
  if (length < 0) err(1, "read");
  if (length == 0) errx(1, "the service closed the connection");
  const struct burst *burst = &bursts[from->at];
  if (length > burst->answered - from->got || memcmp(burst->answers + from->got, piece, length) != 0)
    errx(1, "\"%.*s\" where \"%.*s\" was expected", (int)(length < 200 ? length : 200), piece,
         (int)(burst->answered - from->got), burst->answers + from->got);
  from->got += length;
  if (from->got < burst->answered) return 0;
  int64_t took = now() - from->since;
  times[answered++] = took < UINT32_MAX ? took : UINT32_MAX;
  from->got = 0;
  from->at = (from->at + 1) % count;
  if (--from->left == 0) return 1;
  ask(from);
  return 0;
}

static int by_size(const void *one, const void *other) {
  uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
  return a < b ? -1 : a > b;
}

int main(int argc, char **argv) {
  if (argc != 5) errx(2, "usage: socketmap-load SOCKET BURSTS CONNECTIONS EACH");
  read_bursts(argv[2]);
  size_t connections = strtoul(argv[3], NULL, 10), each = strtoul(argv[4], NULL, 10);
  if (connections == 0 || each == 0) errx(2, "nothing to ask");
  struct connection *all = calloc(connections, sizeof *all);
  struct epoll_event *ready = calloc(connections, sizeof *ready);
  int poll = epoll_create1(0);
  times = calloc(connections * each, sizeof *times);
  if (!all || !ready || !times || poll < 0) err(1, "connections");
  for (size_t i = 0; i < connections; i++) {
    all[i] = (struct connection){.socket = connect_to(argv[1]), .at = i * count / connections, .left = each};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, all[i].socket, &event) < 0) err(1, "epoll");
  }
  int64_t start = now();
  for (size_t i = 0; i < connections; i++) ask(&all[i]);
  for (size_t left = connections; left > 0;) {
    int found = epoll_wait(poll, ready, connections, -1);
    for (int i = 0; i < found; i++) left -= take(ready[i].data.ptr);
  }
  int64_t took = now() - start;
  qsort(times, answered, sizeof *times, by_size);
  printf("%lld %u %u\n", (long long)took, times[answered / 2], times[answered * 99 / 100]);
  return 0;
}
