import torch
torch.manual_seed(4)
H,G,D=4,2,3
xq=torch.randn(2,4,6,requires_grad=True); xkv=torch.randn(2,7,5,requires_grad=True)
wq=torch.nn.Linear(6,H*D,bias=False); wk=torch.nn.Linear(5,G*D,bias=False); wv=torch.nn.Linear(5,G*D,bias=False); wo=torch.nn.Linear(H*D,6,bias=False)
q=wq(xq).view(2,4,H,D).transpose(1,2); k=wk(xkv).view(2,7,G,D).transpose(1,2); v=wv(xkv).view(2,7,G,D).transpose(1,2)
k=k.repeat_interleave(H//G,dim=1); v=v.repeat_interleave(H//G,dim=1)
a=torch.softmax(q@k.transpose(-1,-2)/D**.5,-1)
out=wo((a@v).transpose(1,2).flatten(2))
loss=out.pow(2).mean()
loss.backward()
print(float(out.sum()))
