{#
  The users of a guest, in plain sh, as root in the new system, for installers that cannot make all of it. Who is there
  already keeps the password; groups and keys are added. It never fails the installation.
    users   a list of {name, gecos, groups, password_hash, password, ssh_keys, sudo}
#}
{% set users = users | default([]) %}
{% for user in users %}
{% set hash = user.password_hash if user.password_hash is defined else (user.password | password_hash('sha512') if user.password is defined else '!') %}
{# A colon ends the field in /etc/passwd, so useradd refuses it. #}
id -u {{ user.name | one_line | quote }} > /dev/null 2>&1 ||
  useradd --create-home --shell /bin/bash --comment {{ user.gecos | default(user.name, true) | one_line | replace(':', ' ') | quote }} --password {{ hash | one_line | quote }} {{ user.name | quote }} || :
{% endfor %}
{% for user in users %}
{% for group in user.groups | default([]) %}
getent group {{ group | one_line | quote }} > /dev/null || groupadd {{ group | quote }} || :
usermod --append --groups {{ group | quote }} {{ user.name | quote }} || :
{% endfor %}
{% if user.ssh_keys | default([]) %}
home=$(getent passwd {{ user.name | quote }} | cut -d: -f6)
if [ -d "$home" ]; then
  mkdir -p -m 700 "$home/.ssh"
{% for key in user.ssh_keys %}
  grep -qxF {{ key | trim | one_line | quote }} "$home/.ssh/authorized_keys" 2> /dev/null || echo {{ key | trim | one_line | quote }} >> "$home/.ssh/authorized_keys"
{% endfor %}
  chmod 600 "$home/.ssh/authorized_keys"
  chown -R {{ (user.name ~ ':') | quote }} "$home/.ssh"
  ! command -v restorecon > /dev/null 2>&1 || restorecon -R "$home/.ssh" || :
fi
{% endif %}
{% endfor %}
{% include 'snippets/sudo.sh' %}
