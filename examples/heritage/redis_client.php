<?php
// A queue of unique items over the Redis protocol, from PHP: apt-get install php-cli php-redis, then `spoold serve`.

$address = parse_url(getenv('SPOOLD_URL') ?: 'redis://localhost:6379');
$redis = new Redis();
$redis->connect($address['host'], $address['port']);

var_dump($redis->sAdd('niki', 12));
var_dump($redis->sAdd('niki', 15));
var_dump($redis->sCard('niki'));
var_dump($redis->sIsMember('niki', 'abc'));
var_dump($redis->sIsMember('niki', 12));
var_dump($redis->sPop('niki'));
var_dump($redis->sPop('niki'));
var_dump($redis->sPop('niki'));
