{#
  Tells treeboot how the installation ended, in plain sh: dash, bash and busybox. It repeats that until treeboot took the
  report or refused it for good, for 5 minutes, or for an hour where the guest has "retry: true". Then it leaves a service
  in the new system that tries again at each boot. It never fails the installation.
    report_to      where to post, such as report_url
    report_root    where the new system is: '' inside of it, '/target' for Debian's and Ubuntu's installers,
                   none to leave no service
#}
# Prints the HTTP status with which treeboot answers a POST; nothing when there was no answer.
treeboot_post() {
  if command -v curl > /dev/null 2>&1; then
    curl --silent --output /dev/null --write-out '%{http_code}' --max-time 20 --request POST --data '' "$1"
    return 0
  fi
  # wget names the status of a refusal only: GNU's as "ERROR 503", busybox's as "error: HTTP/1.1 503". The wget of
  # debian-installer can only GET.
  help=$(wget --help 2>&1) || :
  case $help in
    *--post-data*)
      limits=
      case $help in *--tries*) limits='--tries=1 --timeout=20' ;; *'-T SEC'*) limits='-T 20' ;; esac
      # shellcheck disable=SC2086
      said=$(wget $limits -O /dev/null --post-data= "$1" 2>&1) && { echo 200; return 0; }
      echo "$said" | sed -n -e 's/^.*ERROR \([0-9][0-9][0-9]\).*$/\1/p' -e 's/^.*error: HTTP[^ ]* \([0-9][0-9][0-9]\).*$/\1/p'
      return 0
      ;;
  esac
  address=${1#http://}
  path=/${address#*/}
  address=${address%%/*}
  port=${address##*:}
  case $address in *:*) host=${address%:*} ;; *) host=$address port=80 ;; esac
  host=${host#[}
  host=${host%]}
  printf 'POST %s HTTP/1.0\r\nHost: %s\r\nContent-Length: 0\r\n\r\n' "$path" "$address" |
    nc -w 20 "$host" "$port" 2> /dev/null | sed -n '1s/^HTTP[^ ]* \([0-9][0-9][0-9]\).*$/\1/p'
}

# Posts to $1 until treeboot has decided, for $2 seconds. Fails when it has not.
treeboot_report() {
  until=$(($(date +%s) + $2))
  pause=2
  while :; do
    status=$(treeboot_post "$1") || :
    case $status in
      2?? | 403 | 404 | 409 | 410) return 0 ;;
    esac
    [ "$(date +%s)" -lt "$until" ] || return 1
    echo "treeboot has not taken the report (${status:-no answer}); trying again in $pause s" >&2
    sleep "$pause"
    pause=$((pause * 2))
    [ "$pause" -le 30 ] || pause=30
  done
}
{% if report_root is not none %}

# Leaves a service in the new system at $1 that posts to $2 at each boot, until treeboot has taken or refused it.
treeboot_leave() {
  [ -d "$1/etc/systemd/system" ] || return 0
  mkdir -p "$1/etc/systemd/system/multi-user.target.wants" "$1/usr/local/sbin"
  program=$1/usr/local/sbin/treeboot-report
  unit=$1/etc/systemd/system/treeboot-report.service
  (
    umask 077
    cat > "$program" << 'PROGRAM'
{% raw %}#!/bin/sh
# Tells treeboot that this system is installed. It removes itself when treeboot has taken the report.
post() {
  if command -v curl > /dev/null 2>&1; then
    curl --silent --output /dev/null --write-out '%{http_code}' --max-time 20 --request POST --data '' "$1"
    return 0
  fi
  said=$(wget -t 1 -T 20 -O /dev/null --post-data= "$1" 2>&1) && { echo 200; return 0; }
  echo "$said" | sed -n -e 's/^.*ERROR \([0-9][0-9][0-9]\).*$/\1/p'
}
for pause in 2 4 8 16 30 30 30 30 30 30 30 30 30; do
  case $(post "$(cat /etc/treeboot-report)") in
    2?? | 403 | 410)
      systemctl disable treeboot-report.service
      rm -f /etc/treeboot-report /etc/systemd/system/treeboot-report.service "$0"
      exit 0
      ;;
  esac
  sleep "$pause"
done
exit 1
{% endraw %}
PROGRAM
    chmod 700 "$program"
    echo "$2" > "$1/etc/treeboot-report"
  )
  cat > "$unit" << 'UNIT'
[Unit]
Description=Tell treeboot that this system is installed
Wants=network-online.target
After=network-online.target

[Service]
# Not oneshot: a server that does not answer must not hold up the boot.
Type=simple
ExecStart=/usr/local/sbin/treeboot-report

[Install]
WantedBy=multi-user.target
UNIT
  ln -sf ../treeboot-report.service "$1/etc/systemd/system/multi-user.target.wants/treeboot-report.service"
}
{% endif %}

treeboot_report {{ report_to | quote }} {{ 3600 if guest.retry else 300 }}{% if report_root is not none %} || treeboot_leave {{ report_root | quote }} {{ report_to | quote }}{% endif %} || :
