import socket,sys
for g in (b'GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', b'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'):
    s=socket.create_connection(('127.0.0.1',int(sys.argv[1]))); s.sendall(g); s.settimeout(1); d=b''
    try:
        while True:
            x=s.recv(9999)
            if not x: d+=b'<EOF>'; break
            d+=x
    except Exception as e: d+=repr(e).encode()
    print(d)
