<?php
// A key/value store over memcached's protocol, from PHP: apt-get install php-cli php-memcached, then `spoold serve`.

[$host, $port] = explode(':', getenv('SPOOLD_MEMCACHED_AT') ?: 'localhost:11211');
$memcached = new Memcached();
$memcached->addServer($host, (int) $port);

var_dump($memcached->get('niki'));
var_dump($memcached->set('niki', 123));
var_dump($memcached->get('niki'));
