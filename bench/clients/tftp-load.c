/*
 * A TFTP client that throws everything away: many transfers at once from one thread, so that the server is what is
 * measured. RFC 1350, 2347, 2348, 7440.
 *
 *   tftp-load PORT FILE BLKSIZE WINDOW CLIENTS REQUESTS
 *
 * It has the kernel join packets, and receives them in one piece (UDP_GRO): it stands for fifty machines, and must
 * not be what limits a server.
 *
 * CLIENTS transfers run at the same time until REQUESTS have ended; BLKSIZE 512 and WINDOW 1 ask for no options.
 * Prints: seconds octets completed failed resent
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 32, PACKET = 65536, RETRY_MS = 200, TRIES = 25 };

struct transfer {
  int fd;
  int peer_known;
  long long expected; /* next block, never wrapped */
  int in_window;
  long long gap_acked; /* `expected` at the last gap that was acknowledged */
  int blksize, window;
  double sent_at;
  int tries;
  unsigned char last[600]; /* the packet that is sent again when nothing comes */
  int last_length;
};

static int port, want_blksize, want_window;
static const char *file;
static int epoll_fd;
static long long octets, resent;
static int started, completed, failed, requests;
static unsigned char *buffers;
static struct mmsghdr messages[BATCH];
static struct iovec vectors[BATCH];
static struct sockaddr_in peers[BATCH];
static char controls[BATCH][CMSG_SPACE(sizeof(int))];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void say(struct transfer *t, const unsigned char *bytes, int length) {
  if (bytes != t->last) {
    memcpy(t->last, bytes, length);
    t->last_length = length;
  }
  t->sent_at = now();
  if (t->peer_known) {
    send(t->fd, bytes, length, 0);
    return;
  }
  struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(port)};
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sendto(t->fd, bytes, length, 0, (struct sockaddr *)&server, sizeof server);
}

static void begin(struct transfer *t) {
  memset(t, 0, sizeof *t);
  started++;
  t->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  int room = 4 << 20;
  setsockopt(t->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  int on = 1;
  setsockopt(t->fd, SOL_UDP, UDP_GRO, &on, sizeof on);
  t->expected = 1;
  t->gap_acked = -1;
  t->blksize = 512;
  t->window = 1;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = t};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, t->fd, &event);
  unsigned char request[600] = {0, 1}; /* RRQ */
  int at = 2;
  at += sprintf((char *)request + at, "%s", file) + 1;
  at += sprintf((char *)request + at, "octet") + 1;
  if (want_blksize != 512) {
    at += sprintf((char *)request + at, "blksize") + 1;
    at += sprintf((char *)request + at, "%d", want_blksize) + 1;
  }
  if (want_window != 1) {
    at += sprintf((char *)request + at, "windowsize") + 1;
    at += sprintf((char *)request + at, "%d", want_window) + 1;
  }
  say(t, request, at);
}

static void end(struct transfer *t, int ok) {
  close(t->fd);
  t->fd = -1;
  if (ok) completed++;
  else failed++;
  if (started < requests) begin(t);
}

static void acknowledge(struct transfer *t) {
  unsigned block = (unsigned)(t->expected - 1) & 0xffff;
  unsigned char ack[4] = {0, 4 /* ACK */, block >> 8, block & 0xff};
  t->in_window = 0;
  say(t, ack, 4);
}

/* Reads the options of an OACK, from `at` to before `stop`. */
static void agree(struct transfer *t, char *at, char *stop) {
  while (at < stop) {
    char *value = at + strlen(at) + 1;
    if (value >= stop) break;
    if (!strcasecmp(at, "blksize")) t->blksize = atoi(value);
    if (!strcasecmp(at, "windowsize")) t->window = atoi(value);
    at = value + strlen(value) + 1;
  }
}

/* Whether the transfer goes on. */
static int packet(struct transfer *t, unsigned char *bytes, int length) {
  int opcode = length < 4 ? 0 : bytes[1];
  if (opcode == 6) { /* OACK */
    agree(t, (char *)bytes + 2, (char *)bytes + length);
    acknowledge(t);
  } else if (opcode == 3) { /* DATA */
    unsigned block = bytes[2] << 8 | bytes[3];
    if (block != ((unsigned)t->expected & 0xffff)) {
      resent++;
      if (t->gap_acked != t->expected) {
        t->gap_acked = t->expected;
        acknowledge(t);
      }
      return 1;
    }
    octets += length - 4;
    t->expected++;
    t->tries = 0;
    int last = length - 4 < t->blksize;
    if (++t->in_window == t->window || last) acknowledge(t);
    if (last) {
      end(t, 1);
      return 0;
    }
  } else {
    end(t, 0);
    return 0;
  }
  return 1;
}

/* How long each of the packets is that came in one piece; the last may be shorter. */
static int segment_of(struct msghdr *message, int length) {
  for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
    if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
      int size;
      memcpy(&size, CMSG_DATA(c), sizeof size);
      return size;
    }
  return length;
}

static void receive(struct transfer *t) {
  for (;;) {
    for (int i = 0; i < BATCH; i++) {
      messages[i].msg_hdr.msg_namelen = sizeof peers[i];
      messages[i].msg_hdr.msg_control = controls[i];
      messages[i].msg_hdr.msg_controllen = sizeof controls[i];
    }
    int batch = t->window > 1 ? (t->window < BATCH ? t->window : BATCH) : 1;
    int count = recvmmsg(t->fd, messages, batch, MSG_DONTWAIT, NULL);
    if (count <= 0) {
      if (count < 0 && errno == ECONNREFUSED) end(t, 0);
      return;
    }
    if (!t->peer_known) {
      connect(t->fd, (struct sockaddr *)&peers[0], sizeof peers[0]);
      t->peer_known = 1;
    }
    for (int i = 0; i < count; i++) {
      unsigned char *bytes = buffers + (size_t)i * PACKET;
      int length = messages[i].msg_len, segment = segment_of(&messages[i].msg_hdr, length);
      /* `at == 0`: a datagram without octets is a packet, too. */
      for (int at = 0; at < length || at == 0; at += segment) {
        int left = length - at;
        if (!packet(t, bytes + at, left < segment ? left : segment)) return;
        if (segment <= 0) break;
      }
    }
    if (count < batch || t->window == 1) return;
  }
}

int main(int argc, char **argv) {
  if (argc != 7) return 2;
  port = atoi(argv[1]);
  file = argv[2];
  want_blksize = atoi(argv[3]);
  want_window = atoi(argv[4]);
  int clients = atoi(argv[5]);
  requests = atoi(argv[6]);
  if (clients > requests) clients = requests;
  buffers = malloc((size_t)BATCH * PACKET);
  for (int i = 0; i < BATCH; i++) {
    vectors[i] = (struct iovec){buffers + (size_t)i * PACKET, PACKET};
    messages[i].msg_hdr = (struct msghdr){.msg_name = &peers[i], .msg_iov = &vectors[i], .msg_iovlen = 1};
  }
  epoll_fd = epoll_create1(0);
  struct transfer *all = calloc(clients, sizeof *all);
  double began = now(), checked = began;
  for (int i = 0; i < clients; i++) begin(&all[i]);
  while (completed + failed < requests) {
    struct epoll_event events[64];
    int count = epoll_wait(epoll_fd, events, 64, 50);
    for (int i = 0; i < count; i++) receive(events[i].data.ptr);
    double time = now();
    if (time - checked < 0.05) continue;
    checked = time;
    for (int i = 0; i < clients; i++) {
      struct transfer *t = &all[i];
      if (t->fd < 0 || time - t->sent_at < RETRY_MS / 1000.0) continue;
      resent++;
      if (++t->tries > TRIES) end(t, 0);
      else say(t, t->last, t->last_length);
    }
  }
  printf("%.6f %lld %d %d %lld\n", now() - began, octets, completed, failed, resent);
  return failed > 0;
}
