# The start of a machine, as the first process of its namespaces. $1 is the machine's folder, $2 the program that holds
# the namespaces from then on. That program gets the folder as its argument and is found by it.
set -e
# Nothing that is mounted here may show outside.
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mount --bind "$1/var" /var
# The kubelet would set these for the whole computer unless they have its values. It sees these files in their place.
for file in "$1"/sysctl/*; do
	mount --bind "$file" "/proc/sys/$(basename "$file" | tr . /)"
done
# A pod may ask to see mounts that are made later.
mount --make-rshared /
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
exec "$2" "$1"
