/*
 * Fetches one file by FTP with several clients at once and throws it away: ftp-fetch PORT CLIENTS NAME.
 * Each client is a process: it logs in, opens its data connection, and waits until all are there. Prints the
 * seconds from the common start to the last 226. Fails when any got less than the whole file.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char line[1024];
static char buffer[256 * 1024];

static int dial(int port) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int s = socket(AF_INET, SOCK_STREAM, 0);
  if (s < 0 || connect(s, (struct sockaddr *)&to, sizeof to) != 0) {
    perror("connect");
    exit(1);
  }
  return s;
}

/* The code of the next reply; its last line stays in `line`. */
static int reply(FILE *in) {
  do {
    if (!fgets(line, sizeof line, in)) exit(2);
  } while (strlen(line) < 4 || line[3] != ' ');
  return atoi(line);
}

static void ask(FILE *in, int s, const char *command, const char *argument, int expected) {
  dprintf(s, "%s%s\r\n", command, argument);
  if (reply(in) != expected) {
    fprintf(stderr, "%s%s: %s", command, argument, line);
    exit(2);
  }
}

static void client(int port, const char *name, int ready, int go) {
  int s = dial(port);
  FILE *in = fdopen(dup(s), "r");
  char byte = 0;
  long total = 0, size;
  ssize_t got;
  reply(in);
  ask(in, s, "USER anonymous", "", 331);
  ask(in, s, "PASS bench", "", 230);
  ask(in, s, "TYPE I", "", 200);
  ask(in, s, "SIZE ", name, 213);
  size = atol(line + 4);
  ask(in, s, "EPSV", "", 229);
  int data = dial(atoi(strstr(line, "|||") + 3));
  /* The parent closes `go` when all are ready: the end of the pipe is the start. */
  if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 0) exit(4);
  ask(in, s, "RETR ", name, 150);
  while ((got = recv(data, buffer, sizeof buffer, 0)) > 0) total += got;
  close(data);
  if (reply(in) != 226 || total != size) {
    fprintf(stderr, "%ld of %ld bytes: %s", total, size, line);
    exit(3);
  }
  exit(0);
}

int main(int argc, char **argv) {
  if (argc != 4) return 64;
  int port = atoi(argv[1]), clients = atoi(argv[2]), ready[2], go[2], status, failed = 0;
  struct timespec start, end;
  char byte;
  if (pipe(ready) != 0 || pipe(go) != 0) return 71;
  for (int i = 0; i < clients; i++)
    if (fork() == 0) {
      close(go[1]);
      client(port, argv[3], ready[1], go[0]);
    }
  close(ready[1]);
  for (int i = 0; i < clients; i++)
    if (read(ready[0], &byte, 1) != 1) return 1;
  clock_gettime(CLOCK_MONOTONIC, &start);
  close(go[1]);
  while (wait(&status) > 0) failed |= status;
  clock_gettime(CLOCK_MONOTONIC, &end);
  printf("%.4f\n", (end.tv_sec - start.tv_sec) + (end.tv_nsec - start.tv_nsec) / 1e9);
  return failed != 0;
}
